"""Tests run every notebook at its smallest scale unless the caller asked for another one."""

import os

os.environ.setdefault("AELIB_PROFILE", "smoke")
