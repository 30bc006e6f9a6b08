"""Operations of a formula on whole arrays: products, sums along axes, parts of arrays."""
