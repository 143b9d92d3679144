"""The keys of the screens. No two controls of one screen share a key: Label Studio would act on both.

Keys are written as Label Studio's `hotkey` has them. Taken by Label Studio itself (1.23.2) where a picture
can be zoomed: shift+1, shift+2, h, v; with boxes r; on every screen u, escape, backspace, ctrl combinations.
"""

from __future__ import annotations

# Label Studio gives these to options without a key, where they would act although nobody sees them. A Filter
# that has no list to search takes them instead: it is not drawn, and does nothing.
AUTOMATIC = tuple("1234567890qwetasdfgzxcvbyiopjklnm")
# Of an option that nobody must choose, in a config without such Filters. No keyboard sends it. (`f24` would
# act on f: Label Studio knows function keys up to 19.)
NO_KEY = "ctrl+alt+shift+f19"

# The answer
LIKELIEST = ("1", "2", "3", "4", "5")  # the species that are likeliest for this crop, or for these
PERSON, VEHICLE, EMPTY, UNSURE = "8", "9", "0", "-"
ANOTHER = "="  # chooses "another species" and puts the cursor into the search
# Of the species themselves, in projects of few. Not among them: b, c and g look at the picture.
LETTERS = tuple("qwertasdfzxyiopjklnm")

# What is looked at
BRIGHTER, CONTRAST, ORIGINAL = "b", "c", "g"
NEIGHBOURS = {-1: "left", 1: "right", -2: "shift+left", 2: "shift+right"}  # photographs before and after
FIRST, LAST = "home", "end"  # of the sequence, where those do not reach it

# What else is asked of one crop
EXPERT = "shift+x"
ALSO = "shift+="
COUNT = tuple(f"shift+{letter}" for letter in "qwertyuiop")  # each below the digit of its number
SEX = {"female": "shift+f", "male": "shift+m"}
AGE = {"adult": "shift+a", "subadult": "shift+s", "juvenile": "shift+j"}
BEHAVIOUR = tuple(f"shift+{letter}" for letter in "dghklcvbn")
BOX = "shift+z"

# Crops of a sequence or a board: the first 24 as they lie on the keyboard, eight in a row
CROPS = tuple("qwertyuiasdfghjkzxcvbnmlop")
MORE_CROPS = tuple(f"shift+{letter}" for letter in CROPS)
STRUCK_LIKELIEST = tuple(f"shift+{digit}" for digit in LIKELIEST)
STRUCK_PERSON, STRUCK_VEHICLE, STRUCK_EMPTY = "shift+8", "shift+9", "shift+0"
ONE_BY_ONE, STRUCK_ANOTHER = "shift+-", "shift+="
CONFIRM_COUNT = "."
