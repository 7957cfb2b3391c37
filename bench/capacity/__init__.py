"""How many machines for how many images: figures that were measured, and what follows of them."""
