"""What an explorer shows, a view a file."""
