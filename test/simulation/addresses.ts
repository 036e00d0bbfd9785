const PORT = 7000;

export function addressOf(id: number): string {
	return `r${id}:${PORT}`;
}

export function addressesOf(ids: readonly number[]): Record<number, string> {
	return Object.fromEntries(ids.map((id) => [id, addressOf(id)]));
}
