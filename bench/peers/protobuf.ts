/** As much of protobuf as the messages of the benchmark need: fields of bytes, messages and numbers. */

const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** Field `number` with these bytes, which may be a message. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
	const head = [...varint((number << 3) | BYTES), ...varint(bytes.length)];
	const field = new Uint8Array(head.length + bytes.length);
	field.set(head);
	field.set(bytes, head.length);
	return field;
}

export function numberField(number: number, value: number): Uint8Array {
	return Uint8Array.from([...varint((number << 3) | VARINT), ...varint(value)]);
}

/** The last value of the number field `wanted`; 0, as protobuf has it, if it isn't there. */
export function readNumber(message: Uint8Array, wanted: number): number {
	let found = 0;
	let at = 0;
	const next = () => {
		let value = 0;
		for (let scale = 1; ; scale *= 128) {
			const byte = message[at++];
			if (byte === undefined) throw new Error('a protobuf message ends within a field');
			value += (byte & 0x7f) * scale;
			if (byte < 0x80) return value;
		}
	};
	while (at < message.length) {
		const tag = next();
		const kind = tag & 7;
		if (kind === VARINT) {
			const value = next();
			if (tag >> 3 === wanted) found = value;
		} else if (kind === BYTES) {
			// `at += next()` would add to where it was before.
			const bytes = next();
			at += bytes;
		} else if (kind === FIXED64) at += 8;
		else if (kind === FIXED32) at += 4;
		else throw new Error(`a protobuf field of kind ${kind}`);
	}
	return found;
}

function varint(value: number): number[] {
	const bytes: number[] = [];
	for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
	bytes.push(value);
	return bytes;
}
