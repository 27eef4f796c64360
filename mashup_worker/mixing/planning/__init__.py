"""Planning: from songs and a request to a plan."""
