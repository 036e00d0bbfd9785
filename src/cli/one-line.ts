/** What is complained about may hold line ends of the caller's own; a complaint is one line. */
export function oneLine(text: string): string {
	return text.replaceAll(/\s*[\r\n]\s*/g, ' ');
}
