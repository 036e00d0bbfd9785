const ENTITIES: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** Text as HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
	return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** JSON that can stand within a script element: nothing in it ends that element. */
export function embeddedJson(value: unknown): string {
	return JSON.stringify(value).replace(/</g, '\\u003c');
}
