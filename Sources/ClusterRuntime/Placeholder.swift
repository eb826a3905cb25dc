enum PlaceholderClusterRuntime {}
