"""Take responsibility for a message, or say no."""
