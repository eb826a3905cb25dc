enum PlaceholderCoordinator {}
