enum PlaceholderPostgresDriver {}
