"""The names of the screens' controls, as annotations have them in `from_name`, and of what they point at.

Every screen is drawn by a Repeater over a list of at most one item, so that all names end in its index.
"""

from __future__ import annotations

# One crop
SPECIES = "species_0"  # the answer
ANOTHER = "another_0"  # the answer from the list of the project, with SPECIES = ANOTHER_SPECIES
NAME = "name_0"  # the answer typed, with ANOTHER = NOT_IN_LIST
SUGGESTED = "suggested_0"  # the suggestion that was on the screen, hidden; the answer if there is no other
FLAGS = "flags_0"
CROP = "crop_0"  # what they point at
# Attributes of a crop, each an option of the project
COUNT = "count_0"
SEX = "sex_0"
AGE = "age_0"
BEHAVIOUR = "behaviour_0"
ALSO = "also_0"  # further species in the crop
COMMENT = "comment_0"
# Crops of a sequence or a board
ALL = "all_0"  # the answer for all that are not struck
ALL_ANOTHER = "all_another_0"
ALL_NAME = "all_name_0"
ALL_SUGGESTED = "all_suggested_0"
STRUCK = "struck_0"  # the ids of what is struck out
STRUCK_SPECIES = "struck_species_0"  # the answer for all that are struck
STRUCK_ANOTHER = "struck_another_0"
STRUCK_NAME = "struck_name_0"
GROUP_COUNT = "group_count_0"  # individuals in a sequence
GROUP_COMMENT = "group_comment_0"
ASK = "ask_0"  # what they point at
# A whole photograph
PHOTO_EMPTY = "photo_empty_0"
BOX = "box_0"
PHOTO = "photo_0"  # what they point at

EARLIER_SPECIES = "species"  # the answer on the screen of earlier releases

ANOTHER_SPECIES = "another species"  # of SPECIES and ALL
NOT_IN_LIST = "not in the list"  # of the three lists
ONE_BY_ONE = "one by one"  # of STRUCK_SPECIES: ask about each alone
NO_ANIMAL = "no animal"  # of PHOTO_EMPTY
EXPERT = "expert"  # of FLAGS: an expert must see it
SEVERAL = "several"  # of FLAGS: shows ALSO; no answer
ANIMAL_BOX = "animal"  # the label of BOX

# Where annotations have the word of a species: in lists of the label config, or in any way
LISTED = (ANOTHER, ALL_ANOTHER, STRUCK_ANOTHER, ALSO, EARLIER_SPECIES)
NAMED = (*LISTED, SPECIES, SUGGESTED, ALL, ALL_SUGGESTED, STRUCK_SPECIES)
