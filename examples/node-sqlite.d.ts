/** As much of Node 22's module as the example uses: this project is compiled against the types of Node 20. */
declare module 'node:sqlite' {
	export class StatementSync {
		run(...parameters: (string | number | null)[]): { changes: number | bigint };
		get(...parameters: (string | number | null)[]): Record<string, unknown> | undefined;
	}
	export class DatabaseSync {
		constructor(path: string);
		exec(sql: string): void;
		prepare(sql: string): StatementSync;
		close(): void;
	}
}
