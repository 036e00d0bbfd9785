import { NativeRandom } from '../../native-free-io/index.js';
import { World } from '../simulation/world.js';
import { randomContract } from './random.js';

randomContract('native', () => new NativeRandom());

const machine = new World(1).machine('a');
randomContract('simulated', () => machine.start().random);
