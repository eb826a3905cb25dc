enum PlaceholderReadinessLoop {}
