"""Protocol and bench to a proved, costed plan."""
