/** A whole terminal, to be drawn on again and again. */
export interface Screen {
	readonly columns: number;
	readonly lines: number;
	/** In place of what was drawn before. */
	draw(lines: readonly string[]): void;
	/** Calls back when the size is another, and for each key. */
	listen(resized: () => void, pressed: (key: string) => void): void;
	/** Gives the terminal back as it was. Safe to call twice. */
	close(): void;
}

type Input = Pick<NodeJS.ReadStream, 'on' | 'off' | 'resume' | 'pause' | 'setEncoding'> & {
	readonly isTTY?: boolean;
	setRawMode?(isRaw: boolean): unknown;
};
type Output = Pick<NodeJS.WriteStream, 'columns' | 'rows' | 'on' | 'off' | 'write'>;

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/** The terminal of this process: its other screen, without a cursor, and keys as they come. */
export class TerminalScreen implements Screen {
	readonly #input: Input;
	readonly #output: Output;
	#resized = (): void => {};
	#pressed = (_key: string): void => {};
	#isClosed = false;

	constructor(input: Input = process.stdin, output: Output = process.stdout) {
		this.#input = input;
		this.#output = output;
		output.write(ENTER);
		// However the process ends, the terminal is given back.
		process.on('exit', this.close);
		output.on('resize', this.#onResize);
		if (input.isTTY !== true) return;
		input.setRawMode?.(true);
		input.setEncoding('utf8');
		input.on('data', this.#onData);
		input.resume();
	}

	readonly #onResize = (): void => this.#resized();

	readonly #onData = (keys: unknown): void => {
		for (const key of String(keys)) this.#pressed(key);
	};

	get columns(): number {
		return this.#output.columns || 80;
	}

	get lines(): number {
		return this.#output.rows || 24;
	}

	draw(lines: readonly string[]): void {
		if (this.#isClosed) return;
		const text = lines.map((line) => `${line}\x1b[K`).join('\r\n');
		this.#output.write(`\x1b[H${text}\x1b[J`);
	}

	listen(resized: () => void, pressed: (key: string) => void): void {
		this.#resized = resized;
		this.#pressed = pressed;
	}

	readonly close = (): void => {
		if (this.#isClosed) return;
		this.#isClosed = true;
		process.off('exit', this.close);
		this.#output.off('resize', this.#onResize);
		this.#output.write(LEAVE);
		if (this.#input.isTTY !== true) return;
		this.#input.off('data', this.#onData);
		this.#input.setRawMode?.(false);
		this.#input.pause();
	};
}
