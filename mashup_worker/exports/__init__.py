"""Files for programs of DJs and producers: from songs with stems, analysis and plan."""
