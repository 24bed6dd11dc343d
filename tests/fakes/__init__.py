"""Small programs that speak the real wire."""
