"""Reading and checking the body of a generation request."""
