"""Mashups: load the songs, render, master and measure the mix; rate how songs fit."""
