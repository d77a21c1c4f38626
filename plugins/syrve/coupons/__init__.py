"""Coupon series, and the coupons on the watch list."""
