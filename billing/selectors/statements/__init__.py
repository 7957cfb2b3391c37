"""What statements are made of, and the statements themselves."""
