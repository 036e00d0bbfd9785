/** Replaces what stands in a page between `<!-- name:begin -->` and `<!-- name:end -->`. */
export function replaceBlock(page: string, name: string, content: string): string {
	const [begin, end] = [`<!-- ${name}:begin -->\n`, `<!-- ${name}:end -->`];
	const from = page.indexOf(begin);
	const to = page.indexOf(end, from);
	if (from < 0 || to < 0) throw new Error(`the page has no block ${name}`);
	return page.slice(0, from + begin.length) + content + page.slice(to);
}
