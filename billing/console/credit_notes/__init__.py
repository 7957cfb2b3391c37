"""Credit notes as their organization sees them."""
