// Lets each block of a source report when it is first reached. A block is a body, a branch (one that is left out
// too), a case, the right side of && || ??, or an arm of ?:.
import ts from 'typescript';

/** A transformer for `ts.transpileModule`. `register(line)` gives a block its number. */
export function instrument(register) {
	return (context) => (source) => {
		const { factory } = context;
		const named = (name) => factory.createIdentifier(name);
		const reached = (node) => {
			const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
			const number = factory.createNumericLiteral(register(line + 1));
			return factory.createLogicalOr(
				factory.createElementAccessExpression(named('$seen'), number),
				factory.createCallExpression(named('$first'), undefined, [number]),
			);
		};
		const statement = (node) => factory.createExpressionStatement(reached(node));
		const expression = (node, visited) =>
			factory.createParenthesizedExpression(factory.createComma(reached(node), visited));
		const body = (node) => {
			const visited = ts.visitNode(node, visit);
			const rest = ts.isBlock(visited) ? visited.statements : [visited];
			return factory.createBlock([statement(node), ...rest], true);
		};
		const isShortCut = (kind) =>
			kind === ts.SyntaxKind.AmpersandAmpersandToken ||
			kind === ts.SyntaxKind.BarBarToken ||
			kind === ts.SyntaxKind.QuestionQuestionToken;

		function visit(node) {
			if (ts.isIfStatement(node)) {
				return factory.updateIfStatement(
					node,
					ts.visitNode(node.expression, visit),
					body(node.thenStatement),
					node.elseStatement ? body(node.elseStatement) : factory.createBlock([statement(node)]),
				);
			}
			if (ts.isConditionalExpression(node)) {
				return factory.createConditionalExpression(
					ts.visitNode(node.condition, visit),
					undefined,
					expression(node.whenTrue, ts.visitNode(node.whenTrue, visit)),
					undefined,
					expression(node.whenFalse, ts.visitNode(node.whenFalse, visit)),
				);
			}
			if (ts.isBinaryExpression(node) && isShortCut(node.operatorToken.kind)) {
				return factory.createBinaryExpression(
					ts.visitNode(node.left, visit),
					node.operatorToken,
					expression(node.right, ts.visitNode(node.right, visit)),
				);
			}
			if (ts.isCaseOrDefaultClause(node)) {
				const statements = [statement(node), ...ts.visitNodes(node.statements, visit)];
				return ts.isCaseClause(node)
					? factory.updateCaseClause(node, ts.visitNode(node.expression, visit), statements)
					: factory.updateDefaultClause(node, statements);
			}
			if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
				const value = expression(node.body, ts.visitNode(node.body, visit));
				const { modifiers, parameters } = ts.visitEachChild(node, visit, context);
				const arrow = factory.createToken(ts.SyntaxKind.EqualsGreaterThanToken);
				return factory.createArrowFunction(
					modifiers,
					undefined,
					parameters,
					undefined,
					arrow,
					value,
				);
			}
			if (ts.isBlock(node) && isBody(node)) {
				const visited = ts.visitEachChild(node, visit, context);
				return factory.createBlock([statement(node), ...visited.statements], true);
			}
			return ts.visitEachChild(node, visit, context);
		}
		return ts.visitNode(source, visit);
	};
}

/** Bodies of functions and loops; those of branches are seen to by their `if`. */
function isBody({ parent }) {
	return (
		ts.isFunctionLike(parent) || ts.isIterationStatement(parent, false) || ts.isTryStatement(parent)
	);
}
