enum PlaceholderAdminHTTP {}
