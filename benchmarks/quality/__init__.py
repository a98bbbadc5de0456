"""Quality, with seeds, spread and floors."""
