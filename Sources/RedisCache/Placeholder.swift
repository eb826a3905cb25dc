enum PlaceholderRedisCache {}
