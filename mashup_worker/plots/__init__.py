"""Pictures of what an analysis found and what it rests on."""
