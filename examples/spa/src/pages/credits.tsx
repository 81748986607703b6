import { useState } from 'react';
import { useQuery } from 'urql';
import { CreditHistoryDocument, type CreditHistoryQuery, CreditsDocument } from '../operations.ts';
import { Loaded, Section } from '../page.tsx';
import { formatNumber, Time } from '../texts.tsx';

export function Credits() {
  const query = useQuery({ query: CreditsDocument });
  return (
    <Section title="Credits">
      <Loaded query={query}>
        {({ me: { creditAccount } }) => (
          <p>
            <strong className="balance">{formatNumber(creditAccount.available)}</strong> to spend
            {creditAccount.held > 0 && `; ${formatNumber(creditAccount.held)} more are set aside for work under way`}
          </p>
        )}
      </Loaded>
      <History />
    </Section>
  );
}

/** Page after page, each a query of its own: the cursor of one is the way to the next. */
function History() {
  const [cursors, setCursors] = useState<readonly (string | null)[]>([null]);
  return (
    <table>
      <caption>History</caption>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col" className="number">
            Credits
          </th>
          <th scope="col" className="number">
            Balance
          </th>
        </tr>
      </thead>
      {cursors.map((after, page) => (
        <HistoryPage
          key={after}
          after={after}
          isLast={page === cursors.length - 1}
          more={(next) => setCursors([...cursors, next])}
        />
      ))}
    </table>
  );
}

interface HistoryPageProps {
  after: string | null;
  isLast: boolean;
  more(cursor: string): void;
}

function HistoryPage({ after, isLast, more }: HistoryPageProps) {
  const query = useQuery({ query: CreditHistoryDocument, variables: { after } });
  const page = query[0].data?.me.creditAccount.transactions;
  const { hasNextPage, endCursor } = page?.pageInfo ?? {};
  const isBare = !page || page.nodes.length === 0 || (isLast && hasNextPage);
  return (
    <tbody>
      {page?.nodes.map((movement) => (
        <Movement key={movement.id} movement={movement} />
      ))}
      {isBare && (
        <tr>
          <td colSpan={3}>
            <Loaded query={query}>
              {() =>
                isLast && hasNextPage && endCursor ? (
                  <button type="button" className="quiet" onClick={() => more(endCursor)}>
                    Show older
                  </button>
                ) : (
                  <span className="hint">Nothing yet: what you get and spend is listed here.</span>
                )
              }
            </Loaded>
          </td>
        </tr>
      )}
    </tbody>
  );
}

type Row = CreditHistoryQuery['me']['creditAccount']['transactions']['nodes'][number];

/** For rows without a description. */
const KINDS: Record<Row['kind'], string> = {
  ADJUSTMENT: 'Put right by support',
  CAPTURE: 'Used',
  CLAWBACK: 'Taken back after a refund',
  EXPIRY: 'Expired',
  GRANT: 'Given to you',
  PLAN_GRANT: 'Part of your plan',
  PURCHASE: 'Bought',
  REFUND: 'Given back',
  USE: 'Used',
};

function Movement({ movement }: { movement: Row }) {
  return (
    <tr>
      <td>
        {movement.description ?? KINDS[movement.kind]}
        <div className="hint">
          <Time at={movement.createdAt} />
        </div>
      </td>
      <td className={movement.amount < 0 ? 'number' : 'number gain'}>
        {movement.amount > 0 && '+'}
        {formatNumber(movement.amount)}
      </td>
      <td className="number">{formatNumber(movement.balanceAfter)}</td>
    </tr>
  );
}
