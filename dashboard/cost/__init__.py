"""The page Cost: dollars of any time with their prices, and budgets."""
