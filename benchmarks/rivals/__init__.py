"""What people build today, as well as it is usually built: read-through caches behind FastAPI."""
