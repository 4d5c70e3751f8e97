"""What a user may ask for; pydantic only."""
