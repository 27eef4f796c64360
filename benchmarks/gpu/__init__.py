"""Everything worth knowing of a GPU in ten minutes: correctness first, then speed."""
