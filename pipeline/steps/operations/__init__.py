"""Reports for whoever runs a project: status, doctor, simulation."""
