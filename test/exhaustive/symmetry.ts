/** All ways to rename three replicas: `permutations[p][id - 1]` is the new name of `id`. The first renames nothing. */
export const permutations: readonly (readonly number[])[] = [
	[1, 2, 3],
	[1, 3, 2],
	[2, 1, 3],
	[2, 3, 1],
	[3, 1, 2],
	[3, 2, 1],
];

/** Which permutation takes each one back. */
export const inversesOf: readonly number[] = permutations.map((permutation) =>
	permutations.findIndex((other) => permutation.every((to, at) => other[to - 1] === at + 1)),
);
