/**
 * A state machine in SQLite (`node:sqlite`, from Node 22.13 on). The index of the last entry is a row like others, and is written by the
 * transaction that applies the batch.
 */
import { createReadStream, rmSync } from 'node:fs';
import { appendFile, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { BatchView, StateMachine } from 'millrace';
import { openThree } from './three.js';

/** An entry: a statement and its parameters. It must do the same everywhere: no random(), no date('now'). */
type Statement = readonly [sql: string, ...parameters: (string | number | null)[]];

const TABLES = `
	CREATE TABLE IF NOT EXISTS applied (id INTEGER PRIMARY KEY, at INTEGER NOT NULL);
	CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));`;

export class SqliteMachine implements StateMachine {
	readonly #path: string;
	#db!: DatabaseSync;

	constructor(path: string) {
		this.#path = path;
	}

	/** @returns the last index whose effects are in the database */
	async open(): Promise<number> {
		const { DatabaseSync } = await import('node:sqlite');
		await mkdir(dirname(this.#path), { recursive: true });
		this.#db = new DatabaseSync(this.#path);
		// FULL: a transaction that is committed is on disk, for the log before it may be dropped.
		this.#db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${TABLES}`);
		return (this.#db.prepare('SELECT at FROM applied').get()?.['at'] as number) ?? 0;
	}

	apply(batch: BatchView): unknown[] {
		this.#db.exec('BEGIN');
		const results = Array.from({ length: batch.count }, (_, i) => this.#run(batch.entry(i)));
		this.#db.prepare('INSERT OR REPLACE INTO applied VALUES (1, ?)').run(batch.lastIndex);
		this.#db.exec('COMMIT');
		return results;
	}

	/** What a constraint forbids changes nothing, on every replica alike, and the proposer hears why. */
	#run(entry: Uint8Array): unknown {
		const [sql, ...parameters] = JSON.parse(new TextDecoder().decode(entry)) as Statement;
		try {
			return { changes: Number(this.#db.prepare(sql).run(...parameters).changes) };
		} catch (error) {
			return { error: (error as Error).message };
		}
	}

	/** A copy of the database as it is now, made at once, and handed out piece by piece. */
	async *snapshot(): AsyncIterable<Uint8Array> {
		const copy = `${this.#path}.snapshot`;
		rmSync(copy, { force: true });
		this.#db.exec(`VACUUM INTO '${copy}'`);
		yield* createReadStream(copy) as AsyncIterable<Uint8Array>;
		await rm(copy);
	}

	/** All tables change over in one transaction, with the index. */
	async restore(chunks: AsyncIterable<Uint8Array>, index: number): Promise<void> {
		const copy = `${this.#path}.restored`;
		await rm(copy, { force: true });
		for await (const chunk of chunks) await appendFile(copy, chunk);
		this.#db.exec(`ATTACH '${copy}' AS copy; BEGIN;
			DELETE FROM accounts; INSERT INTO accounts SELECT * FROM copy.accounts;
			INSERT OR REPLACE INTO applied VALUES (1, ${index}); COMMIT; DETACH copy;`);
		await rm(copy);
	}

	query(statement: unknown): unknown {
		const [sql, ...parameters] = statement as Statement;
		return this.#db.prepare(sql).get(...parameters);
	}

	close(): void {
		this.#db.close();
	}
}

async function demonstrate(): Promise<void> {
	const make = (id: number) => new SqliteMachine(`sqlite/${id}/state.db`);
	const first = await openThree('sqlite', make);
	const run = async (...statement: Statement) => {
		const entry = new TextEncoder().encode(JSON.stringify(statement));
		return (await first.leader.propose(entry)).result;
	};
	await run('INSERT INTO accounts VALUES (?, ?)', 'ada', 10);
	const withdraw = 'UPDATE accounts SET balance = balance - ? WHERE name = ?';
	console.log('withdrawn:', await run(withdraw, 4, 'ada'));
	console.log('refused:', await run(withdraw, 7, 'ada'));
	await first.close();

	const second = await openThree('sqlite', make);
	const row = await second.leader.read(['SELECT balance FROM accounts WHERE name = ?', 'ada']);
	console.log('after a restart:', (row as { balance: number }).balance);
	await second.close();
}

const hasSqlite = await import('node:sqlite').then(
	() => true,
	() => false,
);
if (hasSqlite) await demonstrate();
else console.log(`node:sqlite needs Node 22.13 or later; this is ${process.version}`);
