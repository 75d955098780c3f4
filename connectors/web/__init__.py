"""What all routes share, whatever they serve: the gateway's parts, bodies, errors, limits."""
