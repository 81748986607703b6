import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import type { Connection, PageArguments } from './pages.js';
import { SafeInt } from './scalars.types.js';

/** The two arguments of every list: `@Args(() => PageArgs) page: PageArgs`. Checked by `readPage`. */
@ArgsType()
export class PageArgs implements PageArguments {
  @Field(() => Int, { nullable: true, defaultValue: 20, description: 'How many, 1 to 100.' })
  first?: number | null;

  @Field(() => String, { nullable: true, description: 'The cursor after which to go on.' })
  after?: string | null;
}

@ObjectType('PageInfo', { simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean)
  hasNextPage!: boolean;

  @Field(() => Boolean)
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true })
  startCursor!: string | null;

  @Field(() => String, { nullable: true })
  endCursor!: string | null;
}

/**
 * The GraphQL class of a connection: `<name>Connection` with its `<name>Edge`.
 *
 *     export const SessionConnection = connectionType('Session', () => Session);
 *     @Query(() => SessionConnection) sessions(): Promise<Connection<SessionRow>>
 *
 * Call it once per node type, where the node type is declared.
 */
export function connectionType<Node extends object>(
  name: string,
  node: () => ClassType<Node>,
): ClassType<Connection<Node>> {
  @ObjectType(`${name}Edge`, { simpleResolvers: true })
  class Edge {
    @Field(() => String)
    cursor!: string;

    @Field(() => node())
    node!: Node;
  }

  @ObjectType(`${name}Connection`, { simpleResolvers: true })
  class ConnectionOfNodes implements Connection<Node> {
    @Field(() => [Edge])
    edges!: Edge[];

    @Field(() => [node()])
    nodes!: Node[];

    @Field(() => PageInfo)
    pageInfo!: PageInfo;

    // Not a simple resolver: the count may be a promise, and compiled execution awaits only declared resolvers.
    @Field(() => SafeInt, { simple: false })
    totalCount!: number | Promise<number>;
  }

  return ConnectionOfNodes;
}
