enum PlaceholderPostgresStore {}
