"""What the platform's operators read, of all organizations."""
