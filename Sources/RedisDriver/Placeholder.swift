enum PlaceholderRedisDriver {}
