"""What a network computes, loses and answers: a module for each meta-architecture."""
