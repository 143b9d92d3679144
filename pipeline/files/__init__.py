"""Files and folders: reading them safely, writing them whole, locking them."""
