"""Getting data: sources in order, downloads that are verified, files read into arrays."""
