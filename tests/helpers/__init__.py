"""What tests share: fakes, file makers and rules of formats."""
