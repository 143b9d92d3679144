"""The columns of Wildlife Insights' batch upload, and what it calls that which is no taxon."""

from __future__ import annotations

PROJECT = (
    *("project_id", "project_name", "project_short_name", "project_objectives", "project_species"),
    *("project_species_individual", "project_sensor_layout", "project_sensor_layout_targeted_type"),
    *("project_bait_use", "project_bait_type", "project_stratification", "project_stratification_type"),
    *("project_sensor_method", "project_individual_animals", "project_blank_images"),
    *("project_sensor_cluster", "project_admin", "project_admin_email", "country_code", "embargo"),
    *("initiative_id", "metadata_license", "image_license"),
)
CAMERA = ("project_id", "camera_id", "make", "model", "serial_number", "year_purchased")
DEPLOYMENT = (
    *("project_id", "deployment_id", "subproject_name", "subproject_design", "placename", "longitude"),
    *("latitude", "start_date", "end_date", "event_name", "event_description", "event_type", "bait_type"),
    *("bait_description", "feature_type", "feature_type_methodology", "camera_id", "quiet_period"),
    *("camera_functioning", "sensor_height", "height_other", "sensor_orientation", "orientation_other"),
    *("recorded_by",),
)
RANKS = ("class", "order", "family", "genus", "species")
IMAGE = (
    *("project_id", "deployment_id", "image_id", "location", "identified_by", "wi_taxon_id", *RANKS),
    *("common_name", "uncertainty", "timestamp", "number_of_objects", "highlighted", "age", "sex"),
    *("animal_recognizable", "individual_id", "individual_animal_notes", "markings"),
    *("external_sequence_id", "sequence_start_time"),
)

# Those that its forms mark as required and that Wildloop may not know.
REQUIRED_OF_DEPLOYMENTS = (
    *("longitude", "latitude", "start_date", "end_date", "bait_type", "feature_type", "camera_id"),
    *("camera_functioning", "sensor_height", "sensor_orientation"),
)
REQUIRED_OF_PROJECTS = (
    *("project_objectives", "project_species", "project_sensor_layout", "project_bait_use"),
    *("project_stratification", "project_sensor_method", "project_individual_animals"),
    *("project_blank_images", "project_sensor_cluster", "project_admin", "project_admin_email"),
    *("country_code", "embargo", "metadata_license", "image_license"),
)

MACHINE = "Computer Vision"  # in identified_by
# The id of each word of its catalogue that is no taxon.
WORDS = {
    "blank": ("f1856211-cfb7-4a5b-9158-c0f72fd09ee6", "Blank"),
    "animal": ("1f689929-883d-4dae-958c-3d57ab5b6c16", "Animal"),
    "human": ("990ae9dd-7a59-4344-afcb-1b7b21368000", "Human"),
    "vehicle": ("e2895ed5-780b-48f6-8a11-9e27cb594511", "Vehicle"),
}
HUMAN = dict(zip(RANKS, ("Mammalia", "Primates", "Hominidae", "Homo", "sapiens"), strict=True))
