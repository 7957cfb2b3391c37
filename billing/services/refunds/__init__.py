"""Refunds of images with their credit notes, and adjustments of wallets; two people agree."""
