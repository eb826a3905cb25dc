enum PlaceholderClusterTestKit {}
