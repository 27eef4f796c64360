"""Files with defects that users have: joined, cut, with holes, with bytes around them."""
